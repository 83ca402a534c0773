"""Blind picks: a page on this machine on which two pictures are shown, and the user takes one."""
