#define _GNU_SOURCE
#include "replacement.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
  const char *library;
  const replacement *replacements;
  int count;
  int found;
} search;

static bool is_jump(uint32_t type) {
#if defined(__x86_64__)
  return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
#elif defined(__aarch64__)
  return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
#else
  return false;
#endif
}

/// Replaces the addresses in one table and counts them.
static void replace_in(
    uintptr_t base, const ElfW(Rela) *table, size_t size, const ElfW(Sym) *symbols,
    const char *strings, search *s) {
  for (size_t i = 0; table && i < size / sizeof *table; i++) {
    if (!is_jump((uint32_t)ELF64_R_TYPE(table[i].r_info))) continue;
    const char *name = strings + symbols[ELF64_R_SYM(table[i].r_info)].st_name;
    for (int r = 0; r < s->count; r++) {
      if (strcmp(name, s->replacements[r].name) != 0) continue;
      void **slot = (void **)(base + table[i].r_offset);
      // The page may have been made read-only when the library was loaded.
      const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
      void *start = (void *)((uintptr_t)slot / page * page);
      if (mprotect(start, page, PROT_READ | PROT_WRITE) != 0) return;
      __atomic_store_n(slot, s->replacements[r].function, __ATOMIC_SEQ_CST);
      s->found++;
    }
  }
}

static int visit(struct dl_phdr_info *info, size_t info_size, void *data) {
  (void)info_size;
  search *s = data;
  if (!info->dlpi_name || !strstr(info->dlpi_name, s->library)) return 0;
  const ElfW(Dyn) *entry = NULL;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    entry = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
  }
  const ElfW(Rela) *jumps = NULL, *others = NULL;
  const ElfW(Sym) *symbols = NULL;
  const char *strings = NULL;
  size_t jump_size = 0, other_size = 0;
  for (; entry && entry->d_tag != DT_NULL; entry++) {
    const uintptr_t value = entry->d_un.d_ptr;
    switch (entry->d_tag) {
      case DT_JMPREL: jumps = (const void *)value; break;
      case DT_RELA: others = (const void *)value; break;
      case DT_SYMTAB: symbols = (const void *)value; break;
      case DT_STRTAB: strings = (const void *)value; break;
      case DT_PLTRELSZ: jump_size = value; break;
      case DT_RELASZ: other_size = value; break;
    }
  }
  if (!symbols || !strings) return 1;
  replace_in(info->dlpi_addr, jumps, jump_size, symbols, strings, s);
  replace_in(info->dlpi_addr, others, other_size, symbols, strings, s);
  return 1;
}

int replace_functions(const char *library, const replacement *replacements, int count) {
  search s = {.library = library, .replacements = replacements, .count = count};
  dl_iterate_phdr(visit, &s);
  return s.found;
}
