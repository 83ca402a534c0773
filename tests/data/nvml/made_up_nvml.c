/* A made-up libnvidia-ml: the functions that we ask, with answers chosen by environment variables.

   MADE_UP_NVML         one | two | three | mig | empty_mig | shared | lost     which machine it plays; default: one
   MADE_UP_NVML_INIT    the number that nvmlInit answers; default 0, which is success

   With -DOLD_DRIVER it lacks what old drivers lack: MIG, cores, CUDA's version, compute capability.
   Each handle is a pointer into `cards` or `slices`. */

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

typedef int Result;
enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, LOST = 15 };

typedef struct {
    const char *name, *uuid;
    unsigned long long total, available;
    int major, minor, mig, lost, shared;
} Device;

#define GIB (1024ULL * 1024 * 1024)
static Device cards[] = {
    {"NVIDIA GeForce RTX 3070", "GPU-11111111-aaaa", 8ULL * GIB - 1024 * 1024, 7ULL * GIB, 8, 6, 0, 0, 0},
    {"NVIDIA GeForce GTX 1660", "GPU-22222222-bbbb", 6ULL * GIB, 5ULL * GIB, 7, 5, 0, 0, 0},
    {"NVIDIA GeForce RTX 3090", "GPU-66666666-ffff", 24ULL * GIB, 23ULL * GIB, 8, 6, 0, 0, 0},
};
static Device slices[] = {
    {"NVIDIA H100 80GB HBM3 MIG 1g.10gb", "MIG-33333333-cccc", 10ULL * GIB, 9ULL * GIB, 9, 0, 0, 0, 0},
    {"NVIDIA H100 80GB HBM3 MIG 2g.20gb", "MIG-44444444-dddd", 20ULL * GIB, 19ULL * GIB, 9, 0, 0, 0, 0},
};

static const char *machine(void) {
    const char *name = getenv("MADE_UP_NVML");
    return name ? name : "one";
}
static int is(const char *name) { return strcmp(machine(), name) == 0; }
static int has_mig(void) { return is("mig") || is("empty_mig"); }

Result nvmlInitWithFlags(unsigned flags) {
    const char *answer = getenv("MADE_UP_NVML_INIT");
    (void)flags;
    if (has_mig()) {
        Device h100 = {"NVIDIA H100 80GB HBM3", "GPU-55555555-eeee", 80 * GIB, 79 * GIB, 9, 0, 1, 0, 0};
        cards[0] = h100;
    }
    if (is("lost")) cards[0].lost = 1;
    if (is("shared")) cards[0].shared = 1;
    return answer ? atoi(answer) : SUCCESS;
}
Result nvmlShutdown(void) { return SUCCESS; }

const char *nvmlErrorString(Result result) {
    return result == 999 ? "Unknown Error" : result == 18 ? "Driver/library version mismatch" : "Some Error";
}

static Result copy(char *to, unsigned length, const char *text) {
    return snprintf(to, length, "%s", text) < (int)length ? SUCCESS : INVALID;
}
Result nvmlSystemGetDriverVersion(char *version, unsigned length) { return copy(version, length, "580.65.06"); }
Result nvmlDeviceGetName(Device *device, char *name, unsigned length) { return copy(name, length, device->name); }
Result nvmlDeviceGetUUID(Device *device, char *uuid, unsigned length) { return copy(uuid, length, device->uuid); }

Result nvmlDeviceGetCount_v2(unsigned *count) {
    *count = is("three") ? 3 : is("two") || is("lost") ? 2 : 1;
    return SUCCESS;
}
Result nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device) {
    *device = &cards[index];
    return cards[index].lost ? LOST : SUCCESS;
}

typedef struct { unsigned long long total, available, used; } Memory;
Result nvmlDeviceGetMemoryInfo(Device *device, Memory *memory) {
    if (device->shared) return NOT_SUPPORTED;
    memory->total = device->total;
    memory->available = device->available;
    memory->used = device->total - device->available;
    return SUCCESS;
}
Result nvmlDeviceGetMaxClockInfo(Device *device, int kind, unsigned *clock) {
    (void)device;
    *clock = kind == 1 ? 2100 : kind == 2 ? 7001 : 0;
    return kind == 1 || kind == 2 ? SUCCESS : INVALID;
}

#ifndef OLD_DRIVER
Result nvmlDeviceGetMemoryBusWidth(Device *device, unsigned *bits) {
    (void)device;
    *bits = 256;
    return SUCCESS;
}
Result nvmlDeviceGetPowerManagementLimit(Device *device, unsigned *milliwatts) {
    (void)device;
    *milliwatts = 220000;
    return SUCCESS;
}
Result nvmlSystemGetCudaDriverVersion(int *version) {
    *version = 13000;
    return SUCCESS;
}
Result nvmlDeviceGetCudaComputeCapability(Device *device, int *major, int *minor) {
    *major = device->major;
    *minor = device->minor;
    return SUCCESS;
}
Result nvmlDeviceGetNumGpuCores(Device *device, unsigned *cores) {
    (void)device;
    *cores = 5888;
    return SUCCESS;
}
Result nvmlDeviceGetMigMode(Device *device, unsigned *current, unsigned *pending) {
    if (!has_mig()) return NOT_SUPPORTED;
    *current = *pending = (unsigned)device->mig;
    return SUCCESS;
}
Result nvmlDeviceGetMaxMigDeviceCount(Device *device, unsigned *count) {
    (void)device;
    *count = 7;
    return SUCCESS;
}
Result nvmlDeviceGetMigDeviceHandleByIndex(Device *device, unsigned index, Device **slice) {
    (void)device;
    if (is("empty_mig") || index % 2 || index > 2) return NOT_FOUND;
    *slice = &slices[index / 2];
    return SUCCESS;
}
#endif
