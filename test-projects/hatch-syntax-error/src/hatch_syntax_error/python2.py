"""Python 2 syntax."""

if __name__ == "__main__":
    print "no parentheses"
