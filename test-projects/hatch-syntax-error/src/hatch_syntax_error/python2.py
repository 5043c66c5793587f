"""What Python 2 understood."""

if __name__ == "__main__":
    print "no parentheses"
