/* The types of the LADSPA standard, version 1.1, as its own ladspa.h has them (https://www.ladspa.org), plus words:
 * how many ports there are, what may be missing, and that connect_port's pointer is kept. */
typedef float LADSPA_Data;
typedef int LADSPA_Properties;
typedef int LADSPA_PortDescriptor;
typedef int LADSPA_PortRangeHintDescriptor;
typedef void *LADSPA_Handle;

typedef struct _LADSPA_PortRangeHint {
    LADSPA_PortRangeHintDescriptor HintDescriptor;
    LADSPA_Data LowerBound;
    LADSPA_Data UpperBound;
} LADSPA_PortRangeHint;

typedef struct _LADSPA_Descriptor {
    unsigned long UniqueID;
    const char *Label;
    LADSPA_Properties Properties;
    const char *Name;
    const char *Maker;
    const char *Copyright;
    unsigned long PortCount;
    const LADSPA_PortDescriptor *PortDescriptors plugin_count(PortCount);
    const char *const *PortNames plugin_count(PortCount);
    const LADSPA_PortRangeHint *PortRangeHints plugin_count(PortCount);
    void *ImplementationData;
    LADSPA_Handle (*instantiate)(const struct _LADSPA_Descriptor *Descriptor, unsigned long SampleRate);
    void (*connect_port)(LADSPA_Handle Instance, unsigned long Port, LADSPA_Data *DataLocation plugin_retained);
    void (*activate)(LADSPA_Handle Instance) plugin_nullable;
    void (*run)(LADSPA_Handle Instance, unsigned long SampleCount);
    void (*run_adding)(LADSPA_Handle Instance, unsigned long SampleCount) plugin_nullable;
    void (*set_run_adding_gain)(LADSPA_Handle Instance, LADSPA_Data Gain) plugin_nullable;
    void (*deactivate)(LADSPA_Handle Instance) plugin_nullable;
    void (*cleanup)(LADSPA_Handle Instance);
} LADSPA_Descriptor;

plugin_nullable const LADSPA_Descriptor *ladspa_descriptor(unsigned long Index);
