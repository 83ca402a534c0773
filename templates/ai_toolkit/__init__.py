"""ai-toolkit, in both directions: `export*` write, `import_*` read its YAML jobs, `words` serves both."""
