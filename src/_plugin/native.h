/* The contracts of the parts that know no Python: file check, mapped image, registry, declarations.
 *
 * Nothing here may include Python.h: these parts are fuzzed and tested alone, and may all run
 * without the GIL.  Each function fills in a `reason` when it fails; none prints or exits. */
#ifndef PLUGIN_NATIVE_H
#define PLUGIN_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

enum {
    REASON_MAX = 1024,             /* bytes, the NUL included; longer reasons are cut */
    ABI_MAJOR = 1,                 /* of the records; the header record's must be equal */
    ABI_MINOR = 0,
    ERROR_MESSAGE_MAX = 508,       /* bytes of plugin_error.message, the NUL included */
};

/* The same layout as `plugin_error` in plugin.h. */
typedef struct {
    int32_t code;
    char message[ERROR_MESSAGE_MAX];
} NativeError;

/* ------------------------------------------------------------------ elf.c: the file, before it is mapped */

/* Kinds of records: the n_type of a note whose owner is "plugin". */
typedef enum {
    RECORD_HEADER = 0x101,         /* name: the plugin's; text: its version; see abi, char_min */
    RECORD_FUNC = 0x102,           /* text: the prototype, without `;` */
    RECORD_VAR = 0x103,            /* text: the declaration; size and align are the compiler's */
    RECORD_STRUCT = 0x104,         /* text: `struct name { ... }`; size and align likewise */
    RECORD_ENUM = 0x105,           /* text: `enum name { ... }`; size and align likewise */
    RECORD_DECLARE = 0x106,        /* name empty; text: any declarations */
    RECORD_DOC = 0x107,            /* text: the documentation of `name` */
    RECORD_INIT = 0x108,           /* name: the symbol of the init function; text: its prototype */
    RECORD_DIGEST = 0x109,         /* of both strings nothing; align: DigestState; size: CRC-32C, 0 until stamped */
} RecordKind;

#define RECORD_MUST_UNDERSTAND 0x80000000u   /* flag in n_type: refuse the file if the kind is unknown, do not skip */

/* One record.  Everything is borrowed from the FileFacts that it stands in, until elf_free or settled_make. */
typedef struct {
    RecordKind kind;
    uint32_t size;                 /* bytes; of a header: ABI major << 16 | HEADER_STAMPED or not | minor */
    uint32_t align;                /* bytes; of a header: CHAR_MIN, as int32_t */
    const char *name;
    const char *text;
} Record;

typedef enum {
    FILE_OK = 0,
    FILE_ERRNO,                    /* the system refused: facts->error is errno */
    FILE_NOT_REGULAR,              /* a directory, FIFO, device or socket */
    FILE_INVALID,                  /* the file or its records cannot be understood; of a text file the reason
                                    * begins with "is a text file" */
    FILE_INCOMPATIBLE,             /* sound, but for another machine or ABI: `reason` has what was expected
                                    * and what was found */
} FileStatus;

/* Whether a file has been stamped, and could be; of a digest record its second number, but for NO_ROOM. */
typedef enum {
    DIGEST_EMPTY = 0,              /* room for it */
    DIGEST_STAMPED = 1,            /* CRC-32C */
    DIGEST_NO_ROOM,                /* no such record */
} DigestState;

enum { HEADER_STAMPED = 0x8000 };  /* in the header's first number: a digest record is stamped */

enum { BLANKS_MAX = 8 };           /* stretches of notes that the digest takes as zero; two are usual */

/* Bytes of the file. */
typedef struct {
    uint64_t at, size;
} Blank;

/* What tells one file from another, and a changed file from an unchanged one. */
typedef struct {
    dev_t device;
    ino_t inode;
    off_t size;                    /* bytes */
    struct timespec modified;
    bool is_regular;               /* neither folder nor device nor the like */
} FileIdentity;

/* A file that was read and accepted.  Owned by the caller, who calls elf_free. */
typedef struct {
    FileIdentity identity;
    int error;                     /* errno, with FILE_ERRNO */
    unsigned char *headers;        /* owned: the program headers as read; NULL once settled */
    size_t header_count;
    unsigned char *notes;          /* owned: the PT_NOTE segments, one after the other */
    size_t notes_size;             /* bytes */
    Record *records;               /* owned: in the order of the file, equal ones once; see elf_records */
    size_t record_count;
    uint32_t *index;               /* owned: hash table of records by kind and name */
    size_t index_size;             /* a power of two, or 0 */
    struct Ledger *ledger;         /* owned: of a large manifest, instead of notes, records and index; see ledger.c */
    struct Settled *settled;       /* owned: instead of those too, when they were let go of; see settled.c */
    const Record *header;          /* borrowed; NULL for a library without a manifest, and where it was let go of */
    char *soname;                  /* owned; NULL if none, and once settled */
    unsigned char build_id[64];
    size_t build_id_size;          /* bytes; 0 if none */
    bool has_init;                 /* a RECORD_INIT stands in the file */
    bool notes_stay;               /* they are mapped where nobody writes to */
    DigestState digest_state;
    uint32_t digest;               /* if stamped */
    Blank *digest_records;         /* the two numbers of each: in the memory of `headers`, behind them */
    size_t digest_count;
    Blank build_id_place;          /* size 0 if none */
} FileFacts;

/* Open `path` without blocking, check the file and read its records, through one descriptor that is
 * closed again.  Returns FILE_OK with `facts` filled in, or another status with `reason` filled in and
 * `facts` holding nothing to free but identity and error. */
FileStatus elf_read(const char *path, FileFacts *facts, char reason[REASON_MAX]);

/* The same for a library that will be loaded: of a large manifest it keeps no copy, but what proves it when it is used;
 * until image_matches a descriptor stays open for it.  `fd` is one of the file, and taken over, or -1. */
FileStatus elf_read_open(int fd, const char *path, FileFacts *facts, char reason[REASON_MAX]);

/* A descriptor of the file at `path` if that is the file's real path: absolute, and through no symbolic link.  -1 if it is
 * not, if there is no such file, or if the system cannot tell by opening it (Linux before 5.6). */
int elf_open_real(const char *path);

/* Release what elf_read filled in; harmless on a zeroed struct and when called twice. */
void elf_free(FileFacts *facts);

/* The record of that kind and name; false if there is none.  `size` bytes of `name`; strings of the record are borrowed.  DECLARE records, which have no name, are found by
 * their text.  Where a file was written to since it was read, so that the record is another one, the text says so, and
 * is no declaration. */
bool elf_find(const FileFacts *facts, RecordKind kind, const char *name, size_t size, Record *record);

/* All records, or with `rare` at least those that are neither of a function or variable nor documentation; in the order
 * of the file, and borrowed.  Empty if memory is short. */
typedef struct {
    const Record *items;
    size_t count;
} Records;

Records elf_records(const FileFacts *facts, bool rare);

/* Whether two identities are of one file: its device and inode. */
bool elf_same_file(const FileIdentity *a, const FileIdentity *b);

/* Fill in `identity` from a stat of `path`.  Returns 0, or -1 with errno set. */
int elf_identify(const char *path, FileIdentity *identity);

/* One file behind one descriptor, as elf.c hands it to exports.c. */
enum { ELF_BLOCK = 16384 };        /* bytes of the file's beginning that are read at once: all of a small library */

/* The older hash table has words of eight bytes on two machines. */
#if (defined __s390x__ || defined __alpha__)
typedef uint64_t HashWord;
#else
typedef uint32_t HashWord;
#endif

/* The entries of a dynamic section that are looked at, each after the DT_ of its name. */
typedef enum {
    DYN_STRTAB, DYN_STRSZ, DYN_SYMTAB, DYN_SYMENT, DYN_HASH, DYN_GNU_HASH,
    DYN_VERSYM, DYN_VERDEF, DYN_VERNEED,
    DYN_RELA, DYN_RELASZ, DYN_RELAENT, DYN_RELACOUNT, DYN_RELR, DYN_RELRSZ, DYN_RELRENT,
    DYN_JMPREL, DYN_PLTRELSZ, DYN_PLTREL, DYN_PLTGOT, DYN_TEXTREL,
    DYN_INIT, DYN_FINI, DYN_INIT_ARRAY, DYN_INIT_ARRAYSZ, DYN_FINI_ARRAY, DYN_FINI_ARRAYSZ,
    DYN_SONAME, DYN_RPATH, DYN_RUNPATH, DYN_FLAGS, DYN_FLAGS_1,
    DYN_COUNT,
} DynamicTag;

typedef struct {
    uint64_t value[DYN_COUNT];     /* 0 if absent */
    uint64_t present;              /* a bit a tag */
} ElfDynamic;

typedef struct {
    int fd;                        /* owned, -1 if none */
    int error;                     /* errno of a read that failed, or 0 */
    uint64_t size;                 /* bytes, by fstat; a file that turns out shorter is truncated */
    uint64_t dynamic_offset;       /* bytes */
    size_t dynamic_count;          /* entries */
    ElfDynamic dynamic;
    size_t block_size;             /* bytes of `block` that hold the file's beginning */
    _Alignas(16) unsigned char block[ELF_BLOCK];
} ElfFile;

/* The first half of elf_read: everything but notes and soname.  Whatever it returns, the caller calls elf_close, and
 * elf_free too.  On systems without ELF only the kind of file is checked. */
FileStatus elf_open(const char *path, ElfFile *file, FileFacts *facts, char reason[REASON_MAX]);
void elf_close(ElfFile *file);

/* Read `size` bytes at `offset`, all or nothing: false if the file ends before, or with file->error set. */
bool elf_pread(ElfFile *file, uint64_t offset, void *to, size_t size);

/* Where `size` bytes at `address` of the library stand in the file, if one PT_LOAD holds them all. */
bool elf_locate(const void *headers, size_t count, uint64_t address, uint64_t size, uint64_t *offset);

/* Whether program header `index` is a PT_NOTE that the loader maps as it stands in the file.  Others are passed over,
 * by elf_read and image_matches alike. */
bool elf_note_is_mapped(const void *headers, size_t count, size_t index);

/* The second half of elf_read but for the digest: notes into records; `lightly` as elf_read_open. */
FileStatus elf_notes(ElfFile *file, FileFacts *facts, bool lightly, char reason[REASON_MAX]);

/* Room for program headers and what goes with them, or false; and its end. */
bool elf_make_headers(FileFacts *facts, size_t count);
void elf_free_headers(FileFacts *facts);

/* Room for so many bytes of notes, with what note.h wants behind them, or false. */
bool elf_make_notes(FileFacts *facts, size_t size);

/* Fill in `reason` and return `status`. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
FileStatus elf_refuse(char reason[REASON_MAX], FileStatus status, const char *format, ...);

/* ------------------------------------------------------------------ format.c: the first bytes of a file */

/* Whether `size` bytes of a file's beginning are the header of a shared library for this process (`size` is less than
 * that only if the file is).  Returns FILE_OK, or FILE_INVALID or FILE_INCOMPATIBLE with `reason` filled in. */
FileStatus format_check(const unsigned char *data, size_t size, char reason[REASON_MAX]);

/* ------------------------------------------------------------------ digest.c: is it what was stamped? */

/* CRC-32C of `size` bytes that follow others of value `crc`, 0 if none; by the processor's own instruction if it has
 * one. */
uint32_t digest_crc32c(uint32_t crc, const void *data, size_t size);

/* The same without that instruction: digest_crc32c on older machines, and here for tests. */
uint32_t digest_crc32c_plain(uint32_t crc, const void *data, size_t size);

/* Of a stamped file, compare the digest with its bytes: those of the ELF header, the program headers and each PT_LOAD
 * in order, with the digest itself, the build-id and what the ELF header says of sections (strip changes that) taken as
 * zero.  Of another, see that it has not lost its records, or the digest of which its header tells.  Returns FILE_OK, or FILE_INVALID, or FILE_ERRNO with
 * file->error set. */
FileStatus digest_check(ElfFile *file, const FileFacts *facts, char reason[REASON_MAX]);

/* What stamping a file takes. */
typedef struct {
    DigestState state;             /* as it is now */
    bool has_manifest;
    bool is_told;                  /* its header has HEADER_STAMPED, and is counted into `value` so */
    uint32_t header;               /* to be written first: the header's first number with HEADER_STAMPED */
    uint64_t headers[BLANKS_MAX];  /* offsets in the file, bytes: there `header` */
    size_t header_count;
    uint32_t value;                /* to be written */
    uint64_t places[BLANKS_MAX];   /* offsets in the file, bytes: there `value`, and DIGEST_STAMPED behind it */
    size_t place_count;
} DigestPlan;

/* Check the file as elf_read does, but for what is stamped, and fill in `plan`.  Returns as elf_read; with FILE_ERRNO
 * `*error` is errno. */
FileStatus digest_plan(const char *path, DigestPlan *plan, int *error, char reason[REASON_MAX]);

/* ------------------------------------------------------------------ note.c, records.c: notes to records */

/* Fill in records, index, header, build_id, has_init and what stands of the digest from `headers` and `notes`.  Returns FILE_OK, or another status
 * with `reason` (FILE_ERRNO: error has ENOMEM); elf_free releases what there is either way. */
FileStatus records_parse(FileFacts *facts, char reason[REASON_MAX]);

/* Whether the bytes are valid UTF-8; NUL is a character like others. */
bool note_is_utf8(const char *text, size_t size);

/* ------------------------------------------------------------------ ledger.c, entering.c: a large manifest, not kept but proven */

typedef struct Ledger Ledger;

/* As records_parse, but from the file, piece by piece.  A failure is to be looked at by records_parse again, which may know a
 * better reason. */
FileStatus ledger_read(ElfFile *file, FileFacts *facts, char reason[REASON_MAX]);

/* Take over the file's descriptor: until the library is mapped, records that are wanted are read there. */
void ledger_keep(Ledger *ledger, int *fd);

/* From now on the manifest is read where the library is mapped, `base` being its load address.  False if what tells one
 * file from another, the header and the build-id, is not what was read. */
bool ledger_map(FileFacts *facts, const unsigned char *base);

/* elf_find and elf_records of such a manifest; any thread may call them at any time. */
bool ledger_find(const FileFacts *facts, RecordKind kind, const char *name, size_t size, Record *record);
Records ledger_records(const FileFacts *facts, bool rare);

void ledger_free(Ledger *ledger);

/* A fork waits for locks last registered first, and the ledgers' is taken inside that of the scopes: to be called before
 * anything is declared, so that it is registered first. */
void ledger_watch_forks(void);

/* ------------------------------------------------------------------ settled.c: what stays of a small one */

typedef struct Settled Settled;

/* The library is mapped as it was read, and stays so: `headers` are the loader's, `base` is its load address.  Let go of what
 * was of use until now; if no record is in use, of the records too, which are read again when one is wanted. */
void settled_make(FileFacts *facts, const void *headers, const unsigned char *base, bool is_unused);

/* elf_find and elf_records of such a manifest; any thread may call them at any time. */
bool settled_find(const FileFacts *facts, RecordKind kind, const char *name, size_t size, Record *record);
Records settled_records(const FileFacts *facts);

void settled_free(Settled *settled);

/* ------------------------------------------------------------------ image.c: the library, once it is mapped */

typedef enum {
    SYMBOL_UNKNOWN,                /* the symbol table could not be asked (not an ELF system) */
    SYMBOL_FUNCTION,               /* IFUNCs too */
    SYMBOL_OBJECT,
    SYMBOL_THREAD_LOCAL,
    SYMBOL_OTHER,                  /* no type: written in assembly, or a linker's mark */
} SymbolKind;

typedef struct {
    SymbolKind kind;
    size_t size;                   /* bytes, 0 if the table does not say */
    bool writable;                 /* the address lies in a segment that may be written, RELRO excluded */
} SymbolFacts;

/* Whether the mapped headers and notes behind `handle` equal those that were read from the file; of a large manifest
 * what names the file, and each record when it is used.  Returns 1, the facts settled: see settled_make; or 0 with `reason`
 * filled in.  On systems without ELF always 1. */
int image_matches(void *handle, FileFacts *facts, bool is_unused, char reason[REASON_MAX]);

/* What the library's own symbol table says of `name`, whose address dlsym gave.
 * Returns 0 with `facts` filled in, or -1 with `reason`: the symbol belongs to another library (which is
 * named), is thread-local, or has no definition here.  Reads only the mapped tables. */
int image_symbol(void *handle, const char *name, const void *address, SymbolFacts *facts, char reason[REASON_MAX]);

/* Call `visit` for each symbol that the library defines and exports, default versions only, until it returns
 * non-zero.  Returns what the last `visit` returned, 0 if there was none. */
typedef int (*ImageVisitor)(void *context, const char *name, const SymbolFacts *facts);
int image_each(void *handle, ImageVisitor visit, void *context);

/* ------------------------------------------------------------------ symtab.c: a dynamic symbol table, bounded */

/* Everything is borrowed.  It may stand in memory (image.c) or have been read from a file (exports.c); whatever the
 * tables say, nothing outside the sizes given here is read. */
typedef struct {
    const void *symbols;           /* ElfW(Sym) */
    size_t symbol_count;
    const char *strings;
    size_t strings_size;           /* bytes */
    const uint16_t *versions;      /* one a symbol; NULL if none */
    const uint32_t *gnu_hash;      /* NULL if none */
    size_t gnu_hash_size;          /* bytes that may be read, likewise below */
    const void *hash;              /* the older table; NULL if none */
    size_t hash_size;
    const void *headers;           /* ElfW(Phdr), for `writable` */
    size_t header_count;
} SymbolTable;

/* The number of symbols that the hash tables speak of; 0 if there is no usable one. */
size_t symtab_count(const SymbolTable *table);

/* The index of a symbol of that name which is defined here: the one whose value is `value` if there is one, otherwise
 * the default version, otherwise any; 0 if there is none. */
size_t symtab_find(const SymbolTable *table, const char *name, uint64_t value);

/* What the table says of symbol `index`. */
void symtab_facts(const SymbolTable *table, size_t index, SymbolFacts *facts);

/* As image_each, over any table. */
int symtab_each(const SymbolTable *table, ImageVisitor visit, void *context);

/* ------------------------------------------------------------------ exports.c: the same, without loading */

/* Call `needed` for each DT_NEEDED of the file, then `symbol` for each symbol that it exports, until one returns
 * non-zero.  Either may be NULL.  The names are good during the visit only.  Returns 0, or what stopped it, or -1 with
 * `reason` filled in: the file was refused as by elf_read, or its tables cannot be read.  FILE_ERRNO's reason is the
 * system's.  Visitors had better not return -1. */
typedef int (*NeededVisitor)(void *context, const char *name);
int elf_exports(const char *path, NeededVisitor needed, ImageVisitor symbol, void *context, char reason[REASON_MAX]);

/* ------------------------------------------------------------------ registry.c: once a process */

/* An open is registry_reserve, then dlopen between registry_enter_dlopen and registry_leave_dlopen, then
 * registry_initialise; all on one thread, which does not fork between these calls (it may inside dlopen and
 * inside init).  Every function may run without the GIL, and registry_initialise must: it waits. */

typedef struct Library Library;    /* one file that was opened, process-wide; never freed once its code has run */

/* A dlopen or an init that a thread is inside of.  Registry.c fills it in; nobody else looks inside. */
typedef struct RegistryFrame {
    Library *library;
    struct RegistryFrame *outer;
} RegistryFrame;

typedef enum {
    REGISTRY_OK,                   /* reserved; opened and initialised */
    REGISTRY_RUN_INIT,             /* the caller must run init now and call registry_initialised */
    REGISTRY_FAILED,               /* init failed while this open was under way: see registry_failure */
    REGISTRY_FAILED_BEFORE,        /* init failed before this open began: see registry_failure */
    REGISTRY_NAME_TAKEN,           /* another file has that plugin name: `reason` is its path */
    REGISTRY_RING,                 /* waiting would never end: `reason` names the plugins in question */
    REGISTRY_MEMORY,
} RegistryStatus;

enum {
    REGISTRY_INTERRUPTED = -1,     /* NativeError.code: the process forked while another thread had the open
                                    * or init under way, and this is the child */
};

/* Reserve the library for opening, before dlopen.  `name` is NULL without a manifest, then no other file is in
 * its way.  With REGISTRY_OK `*library` is in use by the caller until registry_abandon or registry_initialise
 * ends it.  With FAILED_BEFORE it is good for registry_failure only, and dlopen is not to be called.
 * NAME_TAKEN and MEMORY leave it NULL; MEMORY has no reason. */
RegistryStatus registry_reserve(const FileIdentity *identity, const char *path, const char *name,
                                Library **library, char reason[REASON_MAX]);

/* End the open without init, as dlopen failed: forget the reservation, the name too, if nobody else has it. */
void registry_abandon(Library *library);

/* Mark the calling thread as being inside dlopen of `library`, where constructors run, until
 * registry_leave_dlopen of the same `frame`, which stands on the caller's stack. */
void registry_enter_dlopen(RegistryFrame *frame, Library *library);
void registry_leave_dlopen(RegistryFrame *frame);

/* dlopen succeeded.  The first caller gets RUN_INIT; later ones wait for its outcome and share it, OK or FAILED.
 * RING where waiting could never end: from the init or the constructor of the library itself, in a ring of
 * inits (of several threads that close one, the last), or when another thread runs init and this one is inside
 * a dlopen of ours.  Each result but RUN_INIT ends this open.  Not seen: an init that waits for a thread of its
 * own making, which opens. */
RegistryStatus registry_initialise(Library *library, char reason[REASON_MAX]);

/* The outcome of init, from the thread that got RUN_INIT, always; ends its open and wakes the waiters.
 * `error` is copied, where memory is short but for the message; code 0 is success. */
void registry_initialised(Library *library, const NativeError *error);

/* Take a reserved library's unmarked functions for the interpreters of one GIL, whose number is not negative: false if
 * they are another's.  Let go of all that this GIL has; 0, the main one's, is never let go of. */
bool registry_hold(Library *library, int64_t gil);
void registry_let_go(int64_t gil);

/* The remembered outcome of a failed init, which never changes; valid after FAILED and FAILED_BEFORE. */
typedef struct {
    int32_t code;
    const char *message;           /* borrowed for ever */
} Failure;

Failure registry_failure(const Library *library);

#endif
