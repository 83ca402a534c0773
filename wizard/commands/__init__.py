"""The commands, a module each: functions that `wizard.app` calls with parsed arguments."""
