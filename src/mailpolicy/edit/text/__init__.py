"""Lossless edits of the text: where things stand, and the splices that change them."""
