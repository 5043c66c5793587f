import pdm_data_platform
from pdm_data_pure.module import ONE

ANSWER = 42


def answer():
    return ANSWER * ONE * pdm_data_platform.ONE
