"""What turns code into chapters and figures: notebooks, pictures, and the paper's tables."""
