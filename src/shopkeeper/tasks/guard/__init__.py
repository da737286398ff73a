"""What is not as it should be: `task` judges payments; checks of catalogue, pictures, reviews and visitors."""
