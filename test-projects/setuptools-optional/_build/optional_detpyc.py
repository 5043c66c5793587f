import sys

if sys.version_info >= (3, 10):
    import detpyc.backend as backend
else:
    import setuptools.build_meta as backend
