"""Views: plans, findings, the progress of a training, reports."""
