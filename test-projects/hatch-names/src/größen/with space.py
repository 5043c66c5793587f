SPACED = " "
