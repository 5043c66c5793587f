from setuptools import Extension, setup

setup(ext_modules=[Extension("pdm_extension._native", ["native/native.c"], extra_compile_args=["-g0"])])
