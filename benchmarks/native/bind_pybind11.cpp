// The functions of work.h, bound by pybind11.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

extern "C" {
#include "work.h"
}

namespace py = pybind11;
using Release = py::call_guard<py::gil_scoped_release>;

namespace {

struct OwnedCounter {
    Counter *counter;
    explicit OwnedCounter(int64_t start) : counter(counter_new(start)) {}
    OwnedCounter(const OwnedCounter &) = delete;
    ~OwnedCounter() { counter_free(counter); }
};

struct OwnedAdder {
    Adder *adder;
    explicit OwnedAdder(int64_t start) : adder(adder_new(start)) {}
    OwnedAdder(const OwnedAdder &) = delete;
    ~OwnedAdder() { adder->Close(adder); }
    int64_t add(int64_t by) { return adder->Add(adder, by); }
};

struct State {};

int64_t call_python(int64_t i, void *data)
{
    return py::handle((PyObject *)data)(i).cast<int64_t>();  // an exception passes through work.c, built to let it
}

double sum_buffer(const py::buffer &x)
{
    py::buffer_info info = x.request();

    if (info.ndim != 1 || !info.item_type_is_equivalent_to<double>() || info.strides[0] != sizeof(double)) {
        throw py::type_error("expected an array of double");
    }
    return sum((const double *)info.ptr, (size_t)info.size);
}

void copy(const py::bytes &in, const py::bytearray &out)
{
    if (PyBytes_GET_SIZE(in.ptr()) != PyByteArray_GET_SIZE(out.ptr())) {
        throw py::value_error("in and out differ in length");
    }
    copy_bytes((const uint8_t *)PyBytes_AS_STRING(in.ptr()), (uint8_t *)PyByteArray_AS_STRING(out.ptr()),
               (size_t)PyBytes_GET_SIZE(in.ptr()));
}

}  // namespace

PYBIND11_MODULE(bound_pybind11, m)
{
    m.def("nothing", &nothing);
    m.def("add", &add);
    m.def("add_shared", &add_shared);
    m.def("add_released", &add_released, Release());
    m.def("nap", &nap, Release());
    m.def("add_int32", &add_int32);
    m.def("add_doubles", &add_doubles);
    m.def("add_six", &add_six);
    m.def("add_mixed", &add_mixed);
    m.def("text_length", &text_length);
    m.def("greeting", &greeting);
    m.def("skip_byte", [](const py::bytes &data) { return py::bytes(skip_byte(PyBytes_AS_STRING(data.ptr()))); });
    m.def("sum", &sum_buffer);
    m.def("sum_numpy", [](const py::array_t<double, py::array::c_style> &x) {
        return sum(x.data(), (size_t)x.size());
    }, py::arg("x").noconvert());
    m.def("copy_bytes", &copy);
    m.def("call_many", [](int64_t count, const py::function &f) { return call_many(count, call_python, f.ptr()); });

    m.attr("counter_new") = py::class_<OwnedCounter>(m, "Counter").def(py::init<int64_t>());
    m.def("counter_value", [](OwnedCounter &owned) { return counter_value(owned.counter); });

    m.attr("adder_new") = py::class_<OwnedAdder>(m, "Adder").def(py::init<int64_t>()).def("Add", &OwnedAdder::add);

    py::class_<State>(m, "State")
        .def(py::init<>())
        .def_property("level", [](State &) { return level; }, [](State &, int64_t value) { level = value; });
}
