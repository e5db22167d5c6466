#pragma once

/// The commit that the build was told of; empty where it was not.
const char *tern_commit(void);
