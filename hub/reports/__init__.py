"""Reports of manufacturers: asked for (`RPRQ`), made in the background, retrieved (`RRRQ`)."""
