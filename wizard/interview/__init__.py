"""The conversation: questions, answers, the menu at the plan."""
