import ApusCommand

ApusProgram.main()
