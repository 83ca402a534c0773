"""What is shown: plans, findings, progress, reports."""
