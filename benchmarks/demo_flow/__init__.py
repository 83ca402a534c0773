"""A small flow matching model of Anima's class that is made from nothing, and what a LoRA teaches it."""
