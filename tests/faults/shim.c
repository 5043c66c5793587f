/* Make the n-th file-system call below a directory fail, or kill the process there.
 *
 * To be preloaded. The environment says what to do:
 *   FAULT_DIRECTORY  absolute; calls on other files are neither counted nor touched
 *   FAULT_COUNTER    a file of four zero bytes, shared by all processes, that counts the calls
 *   FAULT_CALL       the call that fails, from 1 on; 0: none
 *   FAULT_ERRNO      the error that it fails with; 0: SIGKILL
 *   FAULT_LOG        a file that gets the name and the path of the call that fails, or of every call if FAULT_CALL is 0
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *directory, *log_path;
static size_t length;
static int *counter;
static int call, error;

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("FAULT_COUNTER");
    if (path == NULL)
        return;
    directory = getenv("FAULT_DIRECTORY");
    length = strlen(directory);
    log_path = getenv("FAULT_LOG");
    call = atoi(getenv("FAULT_CALL"));
    error = atoi(getenv("FAULT_ERRNO"));
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    void *memory = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (memory != MAP_FAILED)
        counter = memory;
}

static void note(const char *name, const char *path, int number)
{
    char line[PATH_MAX + 64];
    int size = snprintf(line, sizeof line, "%d %s %s\n", number, name, path);
    int fd = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    syscall(SYS_write, fd, line, size);
    syscall(SYS_close, fd);
}

/* Count a call, and return whether it is to fail; errno is set then. */
static int fails(const char *name, const char *path)
{
    int saved = errno;
    if (counter == NULL || strncmp(path, directory, length) != 0 || (path[length] != '/' && path[length] != '\0'))
        return 0;
    int number = __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
    if (call == 0 || number == call)
        note(name, path, number);
    errno = saved;
    if (number != call)
        return 0;
    if (error == 0)
        syscall(SYS_kill, getpid(), SIGKILL);
    errno = error;
    return 1;
}

static const char *path_of(int fd, char *buffer)
{
    char link[64];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, link, buffer, PATH_MAX);
    buffer[size < 0 ? 0 : size] = '\0';
    errno = saved;
    return buffer;
}

static int fails_at(const char *name, int fd, const char *path)
{
    char full[2 * PATH_MAX + 2];
    if (counter == NULL || path == NULL)
        return 0;
    if (path[0] == '/')
        return fails(name, path);
    if (fd == AT_FDCWD)
        syscall(SYS_getcwd, full, PATH_MAX);
    else
        path_of(fd, full);
    size_t used = strlen(full);
    if (path[0] != '\0')
        snprintf(full + used, sizeof full - used, "/%s", path);
    return fails(name, full);
}

static int fails_on(const char *name, int fd)
{
    char path[PATH_MAX + 1];
    return counter != NULL && fails(name, path_of(fd, path));
}

#define REAL(type, name) \
    static type (*real)(); \
    if (real == NULL) \
        real = (type (*)())dlsym(RTLD_NEXT, #name)

#define ON_PATH(type, failed, name, fd, path, declaration, arguments) \
    type name declaration \
    { \
        REAL(type, name); \
        return fails_at(#name, fd, path) ? failed : real arguments; \
    }

#define ON_FILE(type, name, fd, declaration, arguments) \
    type name declaration \
    { \
        REAL(type, name); \
        return fails_on(#name, fd) ? -1 : real arguments; \
    }

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        int mode = va_arg(rest, int); \
        va_end(rest); \
        REAL(int, name); \
        return fails_at(#name, AT_FDCWD, path) ? -1 : real(path, flags, mode); \
    }

#define OPENAT(name) \
    int name(int fd, const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        int mode = va_arg(rest, int); \
        va_end(rest); \
        REAL(int, name); \
        return fails_at(#name, fd, path) ? -1 : real(fd, path, flags, mode); \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
ON_PATH(DIR *, NULL, opendir, AT_FDCWD, path, (const char *path), (path))
ON_PATH(int, -1, stat, AT_FDCWD, path, (const char *path, struct stat *out), (path, out))
ON_PATH(int, -1, stat64, AT_FDCWD, path, (const char *path, struct stat64 *out), (path, out))
ON_PATH(int, -1, lstat, AT_FDCWD, path, (const char *path, struct stat *out), (path, out))
ON_PATH(int, -1, lstat64, AT_FDCWD, path, (const char *path, struct stat64 *out), (path, out))
ON_PATH(int, -1, fstatat, fd, path, (int fd, const char *path, struct stat *out, int flags), (fd, path, out, flags))
ON_PATH(int, -1, fstatat64, fd, path, (int fd, const char *path, struct stat64 *out, int flags), (fd, path, out, flags))
ON_PATH(int, -1, access, AT_FDCWD, path, (const char *path, int mode), (path, mode))
ON_PATH(int, -1, rename, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PATH(int, -1, renameat, tofd, to, (int fd, const char *from, int tofd, const char *to), (fd, from, tofd, to))
ON_PATH(int, -1, renameat2, tofd, to, (int fd, const char *from, int tofd, const char *to, unsigned flags), (fd, from, tofd, to, flags))
ON_PATH(int, -1, link, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PATH(int, -1, linkat, tofd, to, (int fd, const char *from, int tofd, const char *to, int flags), (fd, from, tofd, to, flags))
ON_PATH(int, -1, symlink, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PATH(int, -1, unlink, AT_FDCWD, path, (const char *path), (path))
ON_PATH(int, -1, unlinkat, fd, path, (int fd, const char *path, int flags), (fd, path, flags))
ON_PATH(int, -1, rmdir, AT_FDCWD, path, (const char *path), (path))
ON_PATH(int, -1, mkdir, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
ON_PATH(int, -1, mkdirat, fd, path, (int fd, const char *path, mode_t mode), (fd, path, mode))
ON_PATH(int, -1, chmod, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
ON_PATH(int, -1, fchmodat, fd, path, (int fd, const char *path, mode_t mode, int flags), (fd, path, mode, flags))
ON_PATH(int, -1, chown, AT_FDCWD, path, (const char *path, uid_t owner, gid_t group), (path, owner, group))
ON_PATH(int, -1, fchownat, fd, path, (int fd, const char *path, uid_t owner, gid_t group, int flags), (fd, path, owner, group, flags))
ON_PATH(int, -1, utimensat, fd, path, (int fd, const char *path, const struct timespec times[2], int flags), (fd, path, times, flags))
ON_FILE(int, fstat, fd, (int fd, struct stat *out), (fd, out))
ON_FILE(int, fstat64, fd, (int fd, struct stat64 *out), (fd, out))
ON_FILE(ssize_t, read, fd, (int fd, void *data, size_t size), (fd, data, size))
ON_FILE(ssize_t, pread, fd, (int fd, void *data, size_t size, off_t offset), (fd, data, size, offset))
ON_FILE(ssize_t, pread64, fd, (int fd, void *data, size_t size, off64_t offset), (fd, data, size, offset))
ON_FILE(ssize_t, write, fd, (int fd, const void *data, size_t size), (fd, data, size))
ON_FILE(ssize_t, writev, fd, (int fd, const struct iovec *parts, int count), (fd, parts, count))
ON_FILE(ssize_t, pwrite, fd, (int fd, const void *data, size_t size, off_t offset), (fd, data, size, offset))
ON_FILE(ssize_t, pwrite64, fd, (int fd, const void *data, size_t size, off64_t offset), (fd, data, size, offset))
ON_FILE(ssize_t, sendfile, out, (int out, int in, off_t *offset, size_t size), (out, in, offset, size))
ON_FILE(ssize_t, sendfile64, out, (int out, int in, off64_t *offset, size_t size), (out, in, offset, size))
ON_FILE(ssize_t, copy_file_range, out, (int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags), (in, from, out, to, size, flags))
ON_FILE(int, ftruncate, fd, (int fd, off_t size), (fd, size))
ON_FILE(int, ftruncate64, fd, (int fd, off64_t size), (fd, size))
ON_FILE(int, fsync, fd, (int fd), (fd))
ON_FILE(int, fdatasync, fd, (int fd), (fd))
ON_FILE(int, fchmod, fd, (int fd, mode_t mode), (fd, mode))
ON_FILE(int, fchown, fd, (int fd, uid_t owner, gid_t group), (fd, owner, group))
ON_FILE(int, futimens, fd, (int fd, const struct timespec times[2]), (fd, times))

DIR *fdopendir(int fd)
{
    REAL(DIR *, fdopendir);
    return fails_on("fdopendir", fd) ? NULL : real(fd);
}

/* A descriptor is closed even if that fails: see close(2). */
int close(int fd)
{
    REAL(int, close);
    int failed = fails_on("close", fd), code = errno;
    int result = real(fd);
    if (failed)
        errno = code;
    return failed ? -1 : result;
}
