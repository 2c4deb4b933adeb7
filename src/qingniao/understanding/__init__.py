"""Understanding: what a visitor's words are: their intent, a wish for a person, anger, bad
words.
"""
