"""What is particular to each data set the project knows: its mapping, its definition and, if public, its download."""
