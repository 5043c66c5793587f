#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *
doubled(PyObject *module, PyObject *number)
{
    return PyNumber_Add(number, number);
}

static PyMethodDef methods[] = {
    {"doubled", doubled, METH_O, "Return twice a number."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "pdm_extension._native", NULL, 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
