"""The maker of the small tagger that tests and trials use: trained on the demo's world, of the kind of WD14's."""
