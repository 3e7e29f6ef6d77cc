"""How the micro weights were made: a small Kandinsky 3, trained on drawn pictures."""
