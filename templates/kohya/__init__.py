"""kohya_ss's GUI and sd-scripts, in both directions: `export_*` write, `import_*` read, the other files serve both."""
