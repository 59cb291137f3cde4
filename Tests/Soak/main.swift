import ApusCommand

ApusProgram.main(strategies: [OrderStorm.description])
