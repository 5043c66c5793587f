#!python
from pdm_data import answer

print(answer())
