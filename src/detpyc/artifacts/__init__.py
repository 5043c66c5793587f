"""Read artifacts that bytecode is in: directories, ZIP and tar files, and container images."""
