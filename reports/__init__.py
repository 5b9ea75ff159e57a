"""The judge: reads evidence and nothing else, decides, and writes what people and CI look at."""
