/* Lets user-mode-linux run on a processor that has more registers than it knows (AMX).
 *
 * It keeps its processes' extended state in a buffer of a size that it was built with, and sets it
 * by PTRACE_SETREGSET. The kernel takes a whole state only (xstateregs_set in
 * arch/x86/kernel/fpu/regset.c: EFAULT for a shorter one), so what is missing at the end is taken
 * from what the process has. Preloaded by tests/kernels/boot.py.
 */
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char whole[1 << 16];

static void lengthen(long pid, struct iovec *given)
{
    struct iovec all = {whole, sizeof whole};

    if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all) == 0 &&
        given->iov_len < all.iov_len) {
        memcpy(whole, given->iov_base, given->iov_len);
        *given = all;
    }
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list rest;
    va_start(rest, request);
    long pid = va_arg(rest, pid_t);
    void *addr = va_arg(rest, void *), *data = va_arg(rest, void *);
    va_end(rest);

    if (request == PTRACE_SETREGSET && (long)addr == NT_X86_XSTATE) {
        struct iovec given = *(struct iovec *)data;
        lengthen(pid, &given);
        return syscall(SYS_ptrace, request, pid, addr, &given);
    }
    if (request >= PTRACE_PEEKTEXT && request <= PTRACE_PEEKUSER) { /* as the C library does */
        long word, status = syscall(SYS_ptrace, request, pid, addr, &word);
        return status < 0 ? status : word;
    }
    return syscall(SYS_ptrace, request, pid, addr, data);
}
