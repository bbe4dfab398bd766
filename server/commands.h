/* The commands beside the server itself; each returns the process's exit status: 0, 1 where it failed,
 * 2 where it was called wrongly. argv[1] is the command's name. */
#ifndef ONSALE_SERVER_COMMANDS_H
#define ONSALE_SERVER_COMMANDS_H

int command_serve(int argc, char **argv);
int command_migrate(int argc, char **argv);
int command_users(int argc, char **argv);
int command_admin(int argc, char **argv);
int command_demo(int argc, char **argv);
int command_verify_shuffle(int argc, char **argv);
int command_config(int argc, char **argv);
int command_routes(int argc, char **argv);

#endif
