"""What only a card can show, in one command of some minutes: seconds a step and memory, beside what is predicted."""
