# vim: set fileencoding=koi8-r :
TEXT = "да\n"
