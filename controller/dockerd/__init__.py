"""A Docker Engine: reaching it, reading what it streams, and its failures in our words. The SDK is loaded when first needed."""
