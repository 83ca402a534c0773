"""What all importers share: documents, readers, the ledger of what was kept, and the plan that results."""
