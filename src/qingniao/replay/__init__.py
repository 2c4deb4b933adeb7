"""REPLAY. Recorded dialogues as live visitors: the product's main job on real input, checked."""
