# -*- coding: latin-1 -*-
TEXT = "naïve\n"
