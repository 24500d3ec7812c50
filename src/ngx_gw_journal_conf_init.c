
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_conf.h"


#define NGX_GW_JOURNAL_CONF_TMPFS      0x01021994
#define NGX_GW_JOURNAL_CONF_RAMFS      0x858458f6
#define NGX_GW_JOURNAL_CONF_FUSE       0x65735546


typedef struct {
    uint32_t              magic;
    const char           *name;
} ngx_gw_journal_conf_remote_t;


static ngx_int_t ngx_gw_journal_conf_workers(ngx_cycle_t *cycle,
    const ngx_gw_journal_conf_t *jcf, ngx_core_conf_t *ccf);
static ngx_int_t ngx_gw_journal_conf_file_system(ngx_cycle_t *cycle,
    u_char *name, struct statfs *fs);
static void ngx_gw_journal_conf_memory(ngx_cycle_t *cycle,
    const ngx_gw_journal_conf_t *jcf, ngx_core_conf_t *ccf,
    const struct statfs *fs);
static ngx_int_t ngx_gw_journal_conf_tails(ngx_cycle_t *cycle,
    ngx_gw_journal_conf_t *jcf, ngx_core_conf_t *ccf);
static ngx_int_t ngx_gw_journal_conf_own(ngx_cycle_t *cycle,
    const ngx_str_t *name, ngx_core_conf_t *ccf, int fd);


/* locks there don't hold, or not for all; FUSE may be local */

static const ngx_gw_journal_conf_remote_t  ngx_gw_journal_conf_remotes[] = {
    { 0x00006969, "NFS" },
    { 0x0000517b, "SMB" },
    { 0xff534d42, "CIFS" },
    { 0xfe534d42, "SMB2" },
    { 0x01021997, "9p" },
    { 0x5346414f, "AFS" },
    { 0x6b414653, "AFS" },
    { 0x00c36400, "Ceph" },
    { 0x73757245, "Coda" },
    { 0x0000564c, "NCP" },
    { 0x0bd00bd0, "Lustre" },
    { 0x47504653, "GPFS" },
    { 0x20030528, "OrangeFS" },
    { 0x19830326, "BeeGFS" },
    { 0, NULL }
};


ngx_int_t
ngx_gw_journal_conf_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_gw_journal_conf_t *jcf = zone->data;

    ngx_cycle_t      *cycle;
    struct statfs     fs;
    ngx_core_conf_t  *ccf;

    cycle = jcf->cycle;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ngx_gw_journal_conf_workers(cycle, jcf, ccf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_gw_journal_conf_file_system(cycle, jcf->path->name.data, &fs)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_gw_journal_conf_file_system(cycle, jcf->tail.data, &fs) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_gw_journal_conf_memory(cycle, jcf, ccf, &fs);

    return ngx_gw_journal_conf_tails(cycle, jcf, ccf);
}


static ngx_int_t
ngx_gw_journal_conf_workers(ngx_cycle_t *cycle,
    const ngx_gw_journal_conf_t *jcf, ngx_core_conf_t *ccf)
{
    off_t  need;

    need = (off_t) jcf->segment * 2 * ccf->worker_processes;

    if (jcf->size < need) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "gw journal: \"size\" of \"%V\" is %O, but %i worker "
                      "processes need %O, two segments of %uz each; give it "
                      "more, or a smaller \"segment\"",
                      &jcf->path->name, jcf->size, ccf->worker_processes,
                      need, jcf->segment);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gw_journal_conf_file_system(ngx_cycle_t *cycle, u_char *name,
    struct statfs *fs)
{
    uint32_t     magic;
    ngx_uint_t   i;

    if (statfs((char *) name, fs) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "gw journal: statfs(\"%s\") failed", name);
        return NGX_ERROR;
    }

    magic = (uint32_t) fs->f_type;

    for (i = 0; ngx_gw_journal_conf_remotes[i].name; i++) {

        if (ngx_gw_journal_conf_remotes[i].magic == magic) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "gw journal: \"%s\" is on %s; a journal works on "
                          "local file systems only",
                          name, ngx_gw_journal_conf_remotes[i].name);
            return NGX_ERROR;
        }
    }

    if (magic == NGX_GW_JOURNAL_CONF_FUSE) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "gw journal: \"%s\" is on FUSE; a journal works on "
                      "local file systems only", name);
    }

    return NGX_OK;
}


/* "fs" is that of the tails */

static void
ngx_gw_journal_conf_memory(ngx_cycle_t *cycle,
    const ngx_gw_journal_conf_t *jcf, ngx_core_conf_t *ccf,
    const struct statfs *fs)
{
    off_t     need, room;
    uint32_t  magic;

    magic = (uint32_t) fs->f_type;

    if (magic != NGX_GW_JOURNAL_CONF_TMPFS
        && magic != NGX_GW_JOURNAL_CONF_RAMFS)
    {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "gw journal: \"tail\" \"%V\" is not on a tmpfs: the disk "
                      "may make workers wait, and a power cut may lose what "
                      "was synced already", &jcf->tail);
    }

    if (fs->f_blocks == 0) {

        /* no limit */

        return;
    }

    need = (off_t) jcf->segment * ccf->worker_processes;
    room = (off_t) fs->f_bavail * fs->f_bsize;

    if (room < need) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "gw journal: \"tail\" \"%V\" has %O bytes free, but %i "
                      "worker processes need %O, and twice that under load",
                      &jcf->tail, room, ccf->worker_processes, need);
    }
}


static ngx_int_t
ngx_gw_journal_conf_tails(ngx_cycle_t *cycle, ngx_gw_journal_conf_t *jcf,
    ngx_core_conf_t *ccf)
{
    int           fd;
    u_char       *p;
    ngx_int_t     rc;
    struct stat   st;

    if (stat((char *) jcf->path->name.data, &st) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "gw journal: stat(\"%V\") failed", &jcf->path->name);
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cycle->pool, jcf->tail.len + sizeof("/gw-usage--")
                                 + 2 * NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    jcf->tails.data = p;
    p = ngx_sprintf(p, "%V/gw-usage-%xL-%xL%Z", &jcf->tail,
                    (int64_t) st.st_dev, (int64_t) st.st_ino);
    jcf->tails.len = p - jcf->tails.data - 1;

    if (mkdir((char *) jcf->tails.data, 0700) == -1 && ngx_errno != EEXIST) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "gw journal: mkdir(\"%V\") failed", &jcf->tails);
        return NGX_ERROR;
    }

    fd = open((char *) jcf->tails.data,
              O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "gw journal: open(\"%V\") failed; if it is not a "
                      "directory of the gateway, remove it or set \"tail\"",
                      &jcf->tails);
        return NGX_ERROR;
    }

    rc = ngx_gw_journal_conf_own(cycle, &jcf->tails, ccf, fd);

    (void) close(fd);

    return rc;
}


static ngx_int_t
ngx_gw_journal_conf_own(ngx_cycle_t *cycle, const ngx_str_t *name,
    ngx_core_conf_t *ccf, int fd)
{
    ngx_uid_t    user;
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "gw journal: fstat(\"%V\") failed", name);
        return NGX_ERROR;
    }

    user = geteuid();

    if (user == 0 && ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        user = ccf->user;
    }

    if (st.st_uid != user && st.st_uid == 0 && geteuid() == 0) {

        /* just made, or we were killed then */

        if (fchown(fd, user, -1) == -1) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "gw journal: fchown(\"%V\", %d) failed",
                          name, user);
            return NGX_ERROR;
        }

        st.st_uid = user;
    }

    if (st.st_uid != user) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "gw journal: \"%V\" belongs to user %d, not to %d; "
                      "stop the gateway that uses it and remove it, or set "
                      "\"tail\"", name, (int) st.st_uid, (int) user);
        return NGX_ERROR;
    }

    if (st.st_mode & (S_IRWXG|S_IRWXO)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "gw journal: others have access to \"%V\"; remove it "
                      "if it is not the gateway's, or else \"chmod 700\" it",
                      name);
        return NGX_ERROR;
    }

    return NGX_OK;
}
