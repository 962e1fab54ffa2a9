// The functions of work.h, exported for apache-tvm-ffi. It has no variables.
#include <tvm/ffi/tvm_ffi.h>

extern "C" {
#include "work.h"
}

namespace ffi = tvm::ffi;

namespace {

class CounterObj : public ffi::Object {
 public:
    Counter *counter;
    explicit CounterObj(int64_t start) : counter(counter_new(start)) {}
    ~CounterObj() { counter_free(counter); }
    TVM_FFI_DECLARE_OBJECT_INFO_FINAL("benchmark.Counter", CounterObj, ffi::Object);
};

class CounterRef : public ffi::ObjectRef {
 public:
    explicit CounterRef(int64_t start) { data_ = ffi::make_object<CounterObj>(start); }
    TVM_FFI_DEFINE_OBJECT_REF_METHODS_NULLABLE(CounterRef, ffi::ObjectRef, CounterObj);
};

class AdderObj : public ffi::Object {
 public:
    Adder *adder;
    explicit AdderObj(int64_t start) : adder(adder_new(start)) {}
    ~AdderObj() { adder->Close(adder); }
    int64_t add(int64_t by) const { return adder->Add(adder, by); }
    TVM_FFI_DECLARE_OBJECT_INFO_FINAL("benchmark.Adder", AdderObj, ffi::Object);
};

class AdderRef : public ffi::ObjectRef {
 public:
    explicit AdderRef(int64_t start) { data_ = ffi::make_object<AdderObj>(start); }
    TVM_FFI_DEFINE_OBJECT_REF_METHODS_NULLABLE(AdderRef, ffi::ObjectRef, AdderObj);
};

TVM_FFI_STATIC_INIT_BLOCK()
{
    namespace refl = tvm::ffi::reflection;
    refl::ObjectDef<CounterObj>();
    refl::ObjectDef<AdderObj>().def("Add", &AdderObj::add);
}

int64_t call_function(int64_t i, void *data)
{
    return (*static_cast<ffi::Function *>(data))(i).cast<int64_t>();  // an exception passes through work.c
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(nothing, nothing);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(add, add);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(add_shared, add_shared);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(add_released, add_released);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(nap, nap);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(add_int32, add_int32);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(add_doubles, add_doubles);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(add_six, add_six);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(add_mixed, add_mixed);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(text_length, [](ffi::String text) { return text_length(text.c_str()); });
TVM_FFI_DLL_EXPORT_TYPED_FUNC(greeting, []() { return ffi::String(greeting()); });
TVM_FFI_DLL_EXPORT_TYPED_FUNC(skip_byte, [](ffi::Bytes data) {
    const char *rest = skip_byte(data.data());
    return ffi::Bytes(rest, strlen(rest));
});
TVM_FFI_DLL_EXPORT_TYPED_FUNC(sum, [](ffi::TensorView x) {
    TVM_FFI_ICHECK(x.ndim() == 1 && x.dtype().code == kDLFloat && x.dtype().bits == 64 && x.IsContiguous());
    return sum(static_cast<const double *>(x.data_ptr()), static_cast<size_t>(x.size(0)));
});
TVM_FFI_DLL_EXPORT_TYPED_FUNC(call_many, [](int64_t count, ffi::Function f) {
    return call_many(count, call_function, &f);
});
TVM_FFI_DLL_EXPORT_TYPED_FUNC(counter_new, [](int64_t start) { return CounterRef(start); });
TVM_FFI_DLL_EXPORT_TYPED_FUNC(counter_value, [](const CounterObj *self) { return counter_value(self->counter); });
TVM_FFI_DLL_EXPORT_TYPED_FUNC(adder_new, [](int64_t start) { return AdderRef(start); });
