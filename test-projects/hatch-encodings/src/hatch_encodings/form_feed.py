if True:
	TEXT = "naïve\n"


def f():
	return "\
	"
