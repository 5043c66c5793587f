#define PY_SSIZE_T_CLEAN
#include <Python.h>

long thrice(long number); /* in a library of the system */

static PyObject *
tripled(PyObject *module, PyObject *number)
{
    long value = PyLong_AsLong(number);

    return PyErr_Occurred() ? NULL : PyLong_FromLong(thrice(value));
}

static PyMethodDef methods[] = {
    {"tripled", tripled, METH_O, "Return three times a number."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "setuptools_native._native", NULL, 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
