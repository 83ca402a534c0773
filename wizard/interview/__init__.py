"""The interview: questions, answers, the facts made of them, and the menu of the plan."""
