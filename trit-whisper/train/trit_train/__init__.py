"""Trains small ternary Whisper models by quantisation-aware training and writes `.trit` files."""
