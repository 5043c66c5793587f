from setuptools import Extension, setup

extension = Extension("setuptools_native._native", ["native/native.c"], libraries=["thrice"], extra_compile_args=["-g0"])
setup(ext_modules=[extension])
