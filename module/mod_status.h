/* Our section on the page of httpd's own mod_status, if that is loaded. */
#ifndef BTH_MOD_STATUS_H
#define BTH_MOD_STATUS_H

/** Hooks it in, whether mod_status is loaded, will be, or never is. When hooks are registered. */
void bth_mod_status_register(void);

#endif
