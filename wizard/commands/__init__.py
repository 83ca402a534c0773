"""The commands, one module each: plain functions that do what `wizard.app` hands them."""
