TEXT = "naïve\n"
