/* Preloaded into Python: counts the calls of the C library that concern a folder, and makes one of them go wrong.
 *
 * faults_arm(folder, number, action, value) begins to count. At call NUMBER, action FAIL makes it return the error VALUE,
 * SIGNAL sends the signal VALUE to this process just before the call, HALF writes half of what a write gives, and HALF_KILL
 * dies after that. faults_record(descriptor) has every call that changes the folder written down, with what was written.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { NONE, FAIL, SIGNAL, HALF, HALF_KILL };

static char folder[PATH_MAX];
static size_t folder_length;
static int wanted, action, value, recording = -1;
static volatile int counted;
static char names[1 << 16]; /* of the counted calls, a line each */
static size_t names_length;

void faults_arm(const char *path, int number, int what, int with)
{
    folder_length = strlen(path);
    memcpy(folder, path, folder_length + 1);
    wanted = number, action = what, value = with;
    counted = 0, names_length = 0;
}

void faults_record(int descriptor) { recording = descriptor; }

int faults_counted(void) { return counted; }

const char *faults_names(void) { return names; }

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static int within(const char *path)
{
    return folder_length && !strncmp(path, folder, folder_length) && (!path[folder_length] || path[folder_length] == '/');
}

/* The path behind a descriptor; empty if there is none. */
static void descriptor_path(int descriptor, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = REAL(readlink)(link, path, PATH_MAX - 1);
    path[size < 0 ? 0 : size] = 0;
}

static void full_path(int at, const char *name, char *path)
{
    char above[PATH_MAX] = "";
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    if (at == AT_FDCWD) {
        if (!getcwd(above, sizeof above))
            above[0] = 0;
    } else
        descriptor_path(at, above);
    if (!strcmp(name, "."))
        snprintf(path, PATH_MAX, "%s", above);
    else
        snprintf(path, PATH_MAX, "%s/%s", above, name);
}

/* Count a call about this path; return 1 if it is to fail, 2 if it is to be cut in half. */
static int due(const char *name, const char *path)
{
    if (!folder_length || !within(path))
        return 0;
    int number = __sync_add_and_fetch(&counted, 1);
    if (names_length + strlen(name) + strlen(path) + 3 < sizeof names)
        names_length += sprintf(names + names_length, "%s %s\n", name, path);
    if (number != wanted)
        return 0;
    if (action == SIGNAL) {
        kill(getpid(), value);
        return 0;
    }
    if (action == FAIL) {
        errno = value;
        return 1;
    }
    return action == HALF || action == HALF_KILL ? 2 : 0;
}

static void record(const char *what, unsigned long inode, const char *one, const char *two, off_t offset, const void *data, size_t size)
{
    char head[2 * PATH_MAX + 128];
    if (recording < 0)
        return;
    int length = snprintf(head, sizeof head, "%s\t%lu\t%s\t%s\t%lld\t%zu\n", what, inode, one, two, (long long)offset, size);
    if (REAL(write)(recording, head, length) != length || (size && REAL(write)(recording, data, size) != (ssize_t)size))
        _exit(99);
}

static unsigned long inode_of(int descriptor)
{
    struct stat st;
    return REAL(fstat)(descriptor, &st) ? 0 : st.st_ino;
}

static int opened(const char *call, int at, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    full_path(at, name, path);
    if (due(flags & (O_CREAT | O_WRONLY | O_RDWR) ? "open" : call, path) == 1)
        return -1;
    int there = 1;
    if (recording >= 0 && flags & O_CREAT && within(path)) {
        struct stat st;
        there = !REAL(fstatat)(at, name, &st, AT_SYMLINK_NOFOLLOW);
    }
    int descriptor = REAL(openat)(at, name, flags, mode);
    if (descriptor >= 0 && recording >= 0 && within(path)) {
        if (!there)
            record("create", inode_of(descriptor), path, "", 0, "", 0);
        else if (flags & O_TRUNC)
            record("truncate", inode_of(descriptor), path, "", 0, "", 0);
    }
    return descriptor;
}

#define MODE                                                                                                           \
    mode_t mode = 0;                                                                                                   \
    if (flags & (O_CREAT | __O_TMPFILE)) {                                                                             \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode = va_arg(arguments, mode_t);                                                                              \
        va_end(arguments);                                                                                             \
    }

int open(const char *name, int flags, ...) { MODE return opened("look", AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE return opened("look", AT_FDCWD, name, flags, mode); }
int openat(int at, const char *name, int flags, ...) { MODE return opened("look", at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE return opened("look", at, name, flags, mode); }

static ssize_t written(int descriptor, const void *data, size_t size, off_t offset, int positioned)
{
    char path[PATH_MAX];
    descriptor_path(descriptor, path);
    int what = due("write", path);
    if (what == 1)
        return -1;
    if (what == 2)
        size = (size + 1) / 2;
    if (!positioned)
        offset = REAL(lseek)(descriptor, 0, SEEK_CUR);
    ssize_t done = positioned ? REAL(pwrite)(descriptor, data, size, offset) : REAL(write)(descriptor, data, size);
    if (what == 2 && action == HALF_KILL)
        kill(getpid(), SIGKILL);
    if (done > 0 && within(path))
        record("write", inode_of(descriptor), path, "", offset, data, done);
    return done;
}

ssize_t write(int descriptor, const void *data, size_t size) { return written(descriptor, data, size, 0, 0); }
ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset) { return written(descriptor, data, size, offset, 1); }
ssize_t pwrite64(int descriptor, const void *data, size_t size, off_t offset) { return written(descriptor, data, size, offset, 1); }

#define ON_DESCRIPTOR(type, call, parameters, passed)                                                                  \
    type call parameters                                                                                               \
    {                                                                                                                  \
        char path[PATH_MAX];                                                                                           \
        descriptor_path(descriptor, path);                                                                             \
        if (due(#call, path) == 1)                                                                                     \
            return -1;                                                                                                 \
        return REAL(call) passed;                                                                                      \
    }

ON_DESCRIPTOR(ssize_t, read, (int descriptor, void *data, size_t size), (descriptor, data, size))
ON_DESCRIPTOR(ssize_t, pread, (int descriptor, void *data, size_t size, off_t offset), (descriptor, data, size, offset))
ON_DESCRIPTOR(ssize_t, pread64, (int descriptor, void *data, size_t size, off64_t offset), (descriptor, data, size, offset))
ON_DESCRIPTOR(int, fchown, (int descriptor, uid_t user, gid_t group), (descriptor, user, group))
ON_DESCRIPTOR(int, fchmod, (int descriptor, mode_t mode), (descriptor, mode))
ON_DESCRIPTOR(int, futimens, (int descriptor, const struct timespec times[2]), (descriptor, times))
ON_DESCRIPTOR(int, fsetxattr, (int descriptor, const char *name, const void *data, size_t size, int flags), (descriptor, name, data, size, flags))
ON_DESCRIPTOR(int, fremovexattr, (int descriptor, const char *name), (descriptor, name))
ON_DESCRIPTOR(ssize_t, fgetxattr, (int descriptor, const char *name, void *data, size_t size), (descriptor, name, data, size))
ON_DESCRIPTOR(ssize_t, flistxattr, (int descriptor, char *list, size_t size), (descriptor, list, size))
ON_DESCRIPTOR(int, flock, (int descriptor, int operation), (descriptor, operation))
ON_DESCRIPTOR(int, fstat, (int descriptor, struct stat *st), (descriptor, st))
ON_DESCRIPTOR(int, fstat64, (int descriptor, struct stat64 *st), (descriptor, st))
ON_DESCRIPTOR(off_t, lseek, (int descriptor, off_t offset, int whence), (descriptor, offset, whence))
ON_DESCRIPTOR(off64_t, lseek64, (int descriptor, off64_t offset, int whence), (descriptor, offset, whence))

int close(int descriptor)
{
    char path[PATH_MAX];
    int kept;
    descriptor_path(descriptor, path);
    int what = due("close", path);
    kept = errno;
    int done = REAL(close)(descriptor); /* Linux closes a descriptor even if it reports an error */
    if (what != 1)
        return done;
    errno = kept;
    return -1;
}

static int synced(const char *call, int descriptor)
{
    char path[PATH_MAX];
    descriptor_path(descriptor, path);
    if (due(call, path) == 1)
        return -1;
    int done = REAL(fsync)(descriptor);
    if (!done && within(path))
        record("sync", inode_of(descriptor), path, "", 0, "", 0);
    return done;
}

int fsync(int descriptor) { return synced("fsync", descriptor); }
int fdatasync(int descriptor) { return synced("fdatasync", descriptor); }

static int truncated(int descriptor, off_t size)
{
    char path[PATH_MAX];
    descriptor_path(descriptor, path);
    if (due("ftruncate", path) == 1)
        return -1;
    int done = REAL(ftruncate)(descriptor, size);
    if (!done && within(path))
        record("truncate", inode_of(descriptor), path, "", size, "", 0);
    return done;
}

int ftruncate(int descriptor, off_t size) { return truncated(descriptor, size); }
int ftruncate64(int descriptor, off64_t size) { return truncated(descriptor, size); }

static int status(int at, const char *name, struct stat *st, int flags)
{
    char path[PATH_MAX];
    if (flags & AT_EMPTY_PATH && !name[0])
        descriptor_path(at, path);
    else
        full_path(at, name, path);
    if (due("stat", path) == 1)
        return -1;
    return REAL(fstatat)(at, name, st, flags);
}

int fstatat(int at, const char *name, struct stat *st, int flags) { return status(at, name, st, flags); }
int fstatat64(int at, const char *name, struct stat64 *st, int flags) { return status(at, name, (struct stat *)st, flags); }
int stat(const char *name, struct stat *st) { return status(AT_FDCWD, name, st, 0); }
int stat64(const char *name, struct stat64 *st) { return status(AT_FDCWD, name, (struct stat *)st, 0); }
int lstat(const char *name, struct stat *st) { return status(AT_FDCWD, name, st, AT_SYMLINK_NOFOLLOW); }
int lstat64(const char *name, struct stat64 *st) { return status(AT_FDCWD, name, (struct stat *)st, AT_SYMLINK_NOFOLLOW); }

#define TWO_NAMES(what, from_at, from, to_at, to, call)                                                                \
    char one[PATH_MAX], two[PATH_MAX];                                                                                 \
    full_path(from_at, from, one);                                                                                     \
    full_path(to_at, to, two);                                                                                         \
    if (due(what, two) == 1)                                                                                           \
        return -1;                                                                                                     \
    int done = call;                                                                                                   \
    if (!done && within(two))                                                                                          \
        record(what, 0, one, two, 0, "", 0);                                                                           \
    return done;

int rename(const char *from, const char *to) { TWO_NAMES("rename", AT_FDCWD, from, AT_FDCWD, to, REAL(rename)(from, to)) }
int renameat(int from_at, const char *from, int to_at, const char *to)
{
    TWO_NAMES("rename", from_at, from, to_at, to, REAL(renameat)(from_at, from, to_at, to))
}
int link(const char *from, const char *to) { TWO_NAMES("link", AT_FDCWD, from, AT_FDCWD, to, REAL(link)(from, to)) }
int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
    TWO_NAMES("link", from_at, from, to_at, to, REAL(linkat)(from_at, from, to_at, to, flags))
}

#define ONE_NAME(what, at, name, call)                                                                                 \
    char path[PATH_MAX];                                                                                               \
    full_path(at, name, path);                                                                                         \
    if (due(what, path) == 1)                                                                                          \
        return -1;                                                                                                     \
    int done = call;                                                                                                   \
    if (!done && within(path))                                                                                         \
        record(what, 0, path, "", 0, "", 0);                                                                           \
    return done;

int unlink(const char *name) { ONE_NAME("unlink", AT_FDCWD, name, REAL(unlink)(name)) }
int unlinkat(int at, const char *name, int flags) { ONE_NAME("unlink", at, name, REAL(unlinkat)(at, name, flags)) }
int rmdir(const char *name) { ONE_NAME("unlink", AT_FDCWD, name, REAL(rmdir)(name)) }
int mkdir(const char *name, mode_t mode) { ONE_NAME("mkdir", AT_FDCWD, name, REAL(mkdir)(name, mode)) }
int mkdirat(int at, const char *name, mode_t mode) { ONE_NAME("mkdir", at, name, REAL(mkdirat)(at, name, mode)) }
